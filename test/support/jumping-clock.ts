import { SystemClock } from '../../src/event/clock';

/** A clock that goes as the system's does, and jumps when it is told to. */
export class JumpingClock extends SystemClock {
  private ahead = 0;
  jump(milliseconds: number): void {
    this.ahead += milliseconds;
  }
  override monotonic(): number {
    return super.monotonic() + this.ahead;
  }
}
