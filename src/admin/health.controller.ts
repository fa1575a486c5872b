import { Controller, Get } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { Pool } from 'pg';
import { Clock } from '../event/clock';
import { messageOf } from '../event/errors';
import { within } from '../event/timing';
import { Streams } from '../ha/streams.service';

const DATABASE_TIMEOUT = 2_000;

/** Probes. A stuck destination does not make the pod unready (its deliveries are handed over); a stuck reader does. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly pool: Pool,
    private readonly streams: Streams,
    private readonly clock: Clock,
  ) {}

  /** The process answers, hence its event loop turns. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** The database answers, it is known who leads, and there is progress. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.database(), () => this.progress()]);
  }

  /** The stream is led or stood by for. */
  @Get('startup')
  @HealthCheck()
  startup(): Promise<HealthCheckResult> {
    return this.health.check([() => this.started()]);
  }

  private async database(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('database');
    try {
      await within(this.pool.query('select 1'), DATABASE_TIMEOUT, () => {
        throw new Error(`no answer within ${DATABASE_TIMEOUT} ms`);
      });
      return check.up();
    } catch (error) {
      return check.down(messageOf(error));
    }
  }

  /** One that makes no progress tells for all. */
  private progress(): HealthIndicatorResult {
    const check = this.indicator.check('progress');
    const { state, progressAt, ledgerSilence } = this.streams.all.find(({ healthy }) => !healthy) ?? this.streams.main;
    const silent = Math.round(this.clock.monotonic() - progressAt);
    const details = { state, silent_ms: silent, unrecorded_ms: Math.round(ledgerSilence) };
    return this.streams.healthy ? check.up(details) : check.down(details);
  }

  private started(): HealthIndicatorResult {
    const check = this.indicator.check('stream');
    const { state } = this.streams.all.find(({ state }) => state !== 'leading' && state !== 'standing by') ?? this.streams.main;
    return state === 'leading' || state === 'standing by' ? check.up({ state }) : check.down({ state });
  }
}
