import { Module } from '@nestjs/common';
import { TicketAction } from './ticket.action';
import { TrackerClient } from './tracker.client';

@Module({ providers: [TicketAction, TrackerClient] })
export class TicketModule {}
