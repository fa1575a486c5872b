import { Module } from '@nestjs/common';
import { ObserversModule } from 'fraiseql-observers/nest';
import { ShipAction } from './ship.action';
import { Shipments } from './shipments';
import { ShipmentsController } from './shipments.controller';

@Module({
  imports: [ObserversModule.forRoot({ configFile: 'observers.yaml', capture: 'apply' })],
  controllers: [ShipmentsController],
  providers: [Shipments, ShipAction],
})
export class AppModule {}
