import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { ApiProblem } from './problem';

/** For which one question goes on (ms): whoever asked waits for it. */
const LONGEST = 20_000;
/** Under way at once: each holds a connection of the few that the API has, and reads images. */
const MOST = 2;

/** Whether to stop: time has run out, or nobody waits any more. */
export function stopsAfter(milliseconds: number, response: Response): () => boolean {
  const until = performance.now() + milliseconds;
  return () => performance.now() > until || response.destroyed;
}

/** Questions that look at many changes: few at once, and none for long. */
@Injectable()
export class HeavyQuestions {
  private underWay = 0;

  /** @throws ApiProblem when as many are under way as may be */
  async one<T>(response: Response, work: (stopped: () => boolean) => Promise<T>): Promise<T> {
    if (this.underWay >= MOST)
      throw new ApiProblem('too-many-requests', `${MOST} questions of this kind are under way`, { headers: { 'retry-after': '5' } });
    this.underWay++;
    try {
      return await work(stopsAfter(LONGEST, response));
    } finally {
      this.underWay--;
    }
  }
}
