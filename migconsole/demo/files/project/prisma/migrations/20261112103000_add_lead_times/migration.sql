-- AlterTable
ALTER TABLE "shipments" ADD COLUMN "lead_time_days" INTEGER;

-- Days from the order to its delivery, for everything that has arrived.
UPDATE "shipments" AS s SET "lead_time_days" = greatest(0, extract(day FROM s."delivered_at" - o."placed_at"))::INTEGER
FROM "orders" AS o
WHERE o."id" = s."order_id" AND s."delivered_at" IS NOT NULL;

-- CreateIndex
CREATE INDEX "shipments_lead_time_days_idx" ON "shipments"("carrier", "lead_time_days");
