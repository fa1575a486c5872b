import { Injectable } from '@nestjs/common';

/** Made by Nest, as everything that an action needs. */
@Injectable()
export class TrackerClient {
  private readonly url = process.env.TRACKER_URL ?? 'http://127.0.0.1:8800';

  /** @returns the status of the answer */
  async put(path: string, ticket: object, signal: AbortSignal): Promise<number> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.url}/tickets/${path}`, { method: 'PUT', headers, body: JSON.stringify(ticket), signal });
    await answer.body?.cancel();
    return answer.status;
  }
}
