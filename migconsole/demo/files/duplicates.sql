-- People who were invited twice: the same address again, never used.
INSERT INTO portal_users (client_id, email, display_name, role)
SELECT client_id, email, display_name, role FROM portal_users WHERE id % 163 = 0;
