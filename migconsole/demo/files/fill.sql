-- The content of the sample database: the same rows every time, made by arithmetic, not by chance.
-- References are right by construction, so they are not checked row by row while filling.
SET session_replication_role = replica;
SET synchronous_commit = off;

INSERT INTO clients (code, name, country, active, created_at)
SELECT 'C' || lpad(i::text, 5, '0'),
       (ARRAY['Northwind', 'Alder', 'Harbour', 'Meridian', 'Cobalt', 'Larch', 'Granite', 'Willow'])[1 + i % 8] || ' ' ||
       (ARRAY['Outdoor', 'Foods', 'Books', 'Home', 'Toys', 'Fashion', 'Health', 'Music', 'Garden'])[1 + i % 9] || ' ' || i,
       (ARRAY['GB', 'DE', 'FR', 'NL', 'IE'])[1 + i % 5],
       i % 17 <> 0,
       TIMESTAMP '2025-01-01' + i * INTERVAL '6 hours'
FROM generate_series(1, 1200) AS i;

INSERT INTO portal_users (client_id, email, display_name, role, last_login_at, created_at)
SELECT 1 + i % 1200,
       (ARRAY['ada', 'ben', 'chloe', 'dev', 'elif', 'finn', 'grace'])[1 + i % 7] || '.' || i || '@example.com',
       initcap((ARRAY['ada', 'ben', 'chloe', 'dev', 'elif', 'finn', 'grace'])[1 + i % 7]) || ' ' || i,
       (CASE i % 10 WHEN 0 THEN 'ADMIN' WHEN 1 THEN 'VIEWER' ELSE 'MEMBER' END)::"PortalRole",
       TIMESTAMP '2026-11-15' - (i * 7919 % 2160) * INTERVAL '1 hour',
       TIMESTAMP '2025-06-01' + i * INTERVAL '1 hour'
FROM generate_series(1, 6000) AS i;

INSERT INTO products (client_id, sku, name, unit_price, stock, created_at)
SELECT 1 + i % 1200, 'SKU-' || lpad(i::text, 6, '0'),
       (ARRAY['Lamp', 'Kettle', 'Backpack', 'Notebook', 'Puzzle', 'Blanket', 'Speaker', 'Mug', 'Planter', 'Jacket', 'Tent'])[1 + i % 11] ||
       ' ' || i,
       4 + (i * 7919 % 19600) / 100.0, i * 31 % 500, TIMESTAMP '2025-02-01' + i * INTERVAL '20 minutes'
FROM generate_series(1, 24000) AS i;

INSERT INTO orders (client_id, number, status, total, placed_at)
SELECT 1 + i * 7919 % 1200, 'FO-' || (1000000 + i),
       (CASE WHEN i > 149000 THEN 'PENDING' WHEN i > 146000 THEN 'PICKING' WHEN i > 130000 THEN 'SHIPPED'
             WHEN i % 40 = 0 THEN 'CANCELLED' ELSE 'DELIVERED' END)::"OrderStatus",
       10 + (i * 7907 % 90000) / 100.0, TIMESTAMP '2025-11-15' + i * INTERVAL '3.5 minutes'
FROM generate_series(1, 150000) AS i;

INSERT INTO order_items (order_id, product_id, quantity, unit_price)
SELECT (i + 1) / 2, 1 + i * 6007 % 24000, 1 + i % 5, 4 + (i * 6991 % 19600) / 100.0
FROM generate_series(1, 300000) AS i;

INSERT INTO shipments (order_id, carrier, tracking_number, shipped_at, delivered_at)
SELECT i, (ARRAY['DHL', 'DPD', 'UPS', 'Royal Mail', 'PostNL'])[1 + i % 5], 'TRK' || lpad((i * 7)::text, 10, '0'),
       o.placed_at + INTERVAL '1 day',
       CASE WHEN i <= 130000 THEN o.placed_at + (2 + i % 6) * INTERVAL '1 day' END
FROM generate_series(1, 146000) AS i JOIN orders o ON o.id = i
WHERE i % 40 <> 0;

INSERT INTO alerts (client_id, order_id, severity, message, acknowledged, created_at)
SELECT o.client_id, o.id, (CASE i % 12 WHEN 0 THEN 'CRITICAL' WHEN 1 THEN 'WARNING' ELSE 'INFO' END)::"AlertSeverity",
       (ARRAY['Stock is running low', 'Delivery is late', 'Address could not be verified', 'Order was split'])[1 + i % 4],
       i % 5 <> 0, o.placed_at + INTERVAL '2 hours'
FROM generate_series(1, 20000) AS i JOIN orders o ON o.id = i * 7;

INSERT INTO "AuditLog" ("actorId", "entityType", "entityId", "action", "createdAt")
SELECT 1 + i % 6000, (ARRAY['Order', 'Product', 'Client'])[1 + i % 3], i, (ARRAY['create', 'update', 'view'])[1 + i % 3],
       TIMESTAMP '2026-09-07' + i * INTERVAL '4 minutes'
FROM generate_series(1, 5000) AS i;
