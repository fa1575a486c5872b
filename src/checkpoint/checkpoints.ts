import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { TermContext } from '../event/term-context';
import { loadCheckpoint } from './checkpoint.sql';
import { beginPeriod } from './config-period.sql';
import type { Cursor } from './cursor';

/** How far each stream has come, and which configuration decides from where. */
@Injectable()
export class Checkpoints {
  constructor(private readonly pool: Pool) {}

  /** Where the term goes on, by this version of the configuration. @throws OperatorError when a person has to act first */
  async open({ stream, epoch }: TermContext, configVersion: number): Promise<Cursor> {
    const cursor = await loadCheckpoint(this.pool, stream, epoch);
    await beginPeriod(this.pool, { stream, epoch, configVersion }, cursor);
    return cursor;
  }
}
