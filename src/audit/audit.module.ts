import { Module } from '@nestjs/common';
import { Audits } from './audits.service';

@Module({ providers: [Audits], exports: [Audits] })
export class AuditModule {}
