import { Controller, Get } from '@nestjs/common';
import { Observers } from 'fraiseql-observers/nest';
import { Shipments } from './shipments';

@Controller('shipments')
export class ShipmentsController {
  constructor(
    private readonly shipments: Shipments,
    private readonly observers: Observers,
  ) {}

  @Get()
  all(): { shipped: string[]; observers: string | null } {
    return { shipped: this.shipments.all, observers: this.observers.address };
  }
}
