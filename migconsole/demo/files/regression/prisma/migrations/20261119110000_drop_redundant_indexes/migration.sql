-- Indexes that the review of storage costs found redundant.
-- DropIndex
DROP INDEX "orders_client_id_placed_at_idx";

-- DropIndex
DROP INDEX "order_items_product_id_idx";
