import { Injectable, Module } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';

/** Ends a timer, once the round that is under way is through. */
export type EndTimer = () => Promise<void>;

/** What is done again and again beside the path of events, by name: `status --detailed` lists it. Renewing the lease is not: that is on the path. */
@Injectable()
export class Timers {
  constructor(private readonly registry: SchedulerRegistry) {}

  /** Rounds do not overlap: one that takes longer than the interval makes the next one wait for its turn. @param work never rejects */
  every(name: string, milliseconds: number, work: () => Promise<void>): EndTimer {
    let round: Promise<void> | null = null;
    const timer = setInterval(() => {
      round ??= work().finally(() => (round = null));
    }, milliseconds);
    this.registry.addInterval(name, timer);
    return async () => {
      this.registry.deleteInterval(name);
      await round;
    };
  }

  get names(): string[] {
    return this.registry.getIntervals().sort();
  }
}

/** Beside ScheduleModule.forRoot(), whose registry it keeps the names in. */
@Module({ providers: [Timers], exports: [Timers] })
export class TimersModule {}
