import { Module } from '@nestjs/common';
import { EndpointGates } from './endpoint-gates';

@Module({ providers: [EndpointGates], exports: [EndpointGates] })
export class ResilienceModule {}
