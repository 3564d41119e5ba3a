CREATE TABLE orders (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer text NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT now()
);
