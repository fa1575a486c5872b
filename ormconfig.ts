import { MigrationSource } from './src/database/migration-source';

/**
 * For TypeORM's own command line: `npm run build && npx typeorm migration:show -d dist/ormconfig.js`. The database is that of DATABASE_URL. What it
 * runs are the same migrations as those of `fraiseql-observers migrate`, which besides keeps a second one
 * waiting, gives the roles their rights on new tables, and says what to do about errors.
 */
export default new MigrationSource(process.env['DATABASE_URL']);
