import { Module } from '@nestjs/common';
import { Doctor } from './doctor.service';

@Module({ providers: [Doctor], exports: [Doctor] })
export class DoctorModule {}
