import { DataSource, type Logger, type Migration } from 'typeorm';
import { MIGRATIONS } from '../../migrations/index';
import { pinnedPool } from './postgres';

/** TypeORM prints failures to the console, whatever it is told; ours are thrown. */
const SILENT: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

/** What TypeORM runs our migrations with: each in a transaction of its own, noted in `observers.migration`. */
export class MigrationSource extends DataSource {
  constructor(url: string | undefined, logger?: Logger) {
    super({
      type: 'postgres',
      ...(url !== undefined && { url }),
      migrations: MIGRATIONS,
      migrationsTableName: 'observers.migration',
      migrationsTransactionMode: 'each',
      applicationName: 'fraiseql-observers migrate',
      extra: pinnedPool(),
      ...(logger !== undefined && { logger }),
    });
  }

  static silent(url: string): MigrationSource {
    return new MigrationSource(url, SILENT);
  }

  override async runMigrations(options?: Parameters<DataSource['runMigrations']>[0]): Promise<Migration[]> {
    await this.makeSchema();
    return super.runMigrations(options);
  }

  /** TypeORM makes its table to look into it, too. */
  override async showMigrations(): Promise<boolean> {
    await this.makeSchema();
    return super.showMigrations();
  }

  private async makeSchema(): Promise<void> {
    // Not "if not exists": that asks for CREATE on the database even when the schema is there.
    const missing: unknown[] = await this.query("select where to_regnamespace('observers') is null");
    if (missing.length === 1) await this.query('create schema observers');
  }
}
