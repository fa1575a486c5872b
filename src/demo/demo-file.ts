/** The demo's observers file. It is written into the data folder, so that every command works on the running demo. */
export const DEMO_FILE = `version: 1

capture:
  - { table: demo.orders, entity: Order }

endpoints:
  shop:
    url: \${DEMO_URL}/webhooks
    signing: { secrets: ["\${DEMO_SECRET}"] }
    allow_addresses: [loopback]
  flaky:
    url: \${DEMO_URL}/flaky
    signing: { secrets: ["\${DEMO_SECRET}"] }
    allow_addresses: [loopback]

observers:
  - name: order-shipped
    entity: Order
    on: [update]
    when: "status_changed_to('shipped') AND total > 100"
    actions: [{ type: webhook, endpoint: shop }]

  - name: express-order
    entity: Order
    when: "express = true"
    retry: { strategy: exponential, initial_delay: 400ms, max_delay: 5s, max_attempts: 6 }
    actions: [{ type: webhook, endpoint: flaky }]
`;

export const DEMO_TABLE = `
  create schema if not exists demo;
  create table if not exists demo.orders (
    id      bigint generated always as identity primary key,
    status  text not null default 'new',
    total   numeric(12, 2) not null,
    express boolean not null default false
  )`;
