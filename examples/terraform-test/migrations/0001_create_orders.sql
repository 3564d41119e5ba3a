CREATE TABLE orders (
    id uuid PRIMARY KEY,
    customer text NOT NULL,
    total numeric(12, 2) NOT NULL
);

CREATE INDEX ASYNC orders_by_customer ON orders (customer);
