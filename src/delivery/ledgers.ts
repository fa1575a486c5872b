import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Progress } from '../checkpoint/progress';
import type { TermContext } from '../event/term-context';
import { GoneEndpoints } from './gone-endpoints';
import { Ledger, type LedgerEvents } from './ledger';

/** The record of a stream's deliveries. */
@Injectable()
export class Ledgers {
  constructor(private readonly pool: Pool) {}

  /** @param commitWindow milliseconds for which outcomes gather before they are committed together */
  open(term: TermContext, progress: Progress, events: LedgerEvents, commitWindow: number): Ledger {
    return new Ledger(this.pool, term, progress, events, commitWindow);
  }

  /** Endpoints that are gone for good, as far as is on record. */
  goneEndpoints(term: TermContext): Promise<GoneEndpoints> {
    return GoneEndpoints.load(this.pool, term);
  }
}
