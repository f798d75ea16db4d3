-- CreateEnum
CREATE TYPE "BudgetPeriod" AS ENUM ('MONTH', 'QUARTER', 'YEAR');

-- CreateTable
CREATE TABLE "budgets" (
    "id" SERIAL NOT NULL,
    "client_id" INTEGER NOT NULL,
    "period" "BudgetPeriod" NOT NULL,
    "starts_on" DATE NOT NULL,
    "amount" DECIMAL(14,2) NOT NULL,
    "spent" DECIMAL(14,2) NOT NULL DEFAULT 0,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "budgets_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "budgets_client_id_period_starts_on_key" ON "budgets"("client_id", "period", "starts_on");

-- AddForeignKey
ALTER TABLE "budgets" ADD CONSTRAINT "budgets_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE ON UPDATE CASCADE;
