import type { TestDatabase } from './database';

/** Verb and key of each change in the log, in its order. They are taken out of it. */
export async function takeRecorded(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    "select modification_type || ' ' || object_key as text from core.tb_entity_change_log order by pk_entity_change_log",
  );
  await database.query('delete from core.tb_entity_change_log');
  return rows.map(({ text }) => text);
}
