/** What `init` writes: it is valid as it stands, and says what to change. */
export const INIT_FILE = `# yaml-language-server: $schema=./node_modules/fraiseql-observers/observers.schema.json
#
# Which tables are recorded, where deliveries go, and which changes cause them.
#   fraiseql-observers validate-config    checks this file
#   fraiseql-observers start --apply      prepares the database, creates the triggers, and runs
#   fraiseql-observers capture plan       shows the triggers, once the database is prepared (migrate)
version: 1

capture:
  - table: public.orders
    entity: Order                  # the name that observers use
    # key: [id]                    # default: the primary key
    # columns:
    #   exclude: [internal_note]   # does not exist for observers
    #   mask: { email: hash, card_number: drop }

endpoints:
  shop:
    url: \${SHOP_WEBHOOK_URL:-http://127.0.0.1:9000/webhooks}
    # Standard Webhooks signature; make a secret with: echo whsec_$(openssl rand -base64 32)
    # signing: { secrets: ["\${SHOP_WEBHOOK_SECRET}"] }
    timeout: 10s
    concurrency: 32
    allow_addresses: [loopback]    # only public addresses are dialled unless you say otherwise

observers:
  - name: order-shipped
    entity: Order
    on: [update]                   # insert, update, delete, custom; default: all
    when: "status_changed_to('shipped') AND total > 100"
    retry: { strategy: exponential, max_attempts: 8, initial_delay: 1s, max_delay: 1h }
    actions:
      - { type: webhook, endpoint: shop }
      - { type: log, message: "order {{ entity.key }} shipped" }
`;
