import { Injectable } from '@nestjs/common';

/** What the application does of its own: it ships orders. */
@Injectable()
export class Shipments {
  private readonly shipped = new Map<string, string>();

  /** The same delivery may come twice: it is the same shipment. */
  ship(delivery: string, order: string): void {
    this.shipped.set(delivery, order);
  }

  get all(): string[] {
    return [...this.shipped.values()];
  }
}
