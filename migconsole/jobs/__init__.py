"""What runs inside the detached process that carries out one attempt."""
