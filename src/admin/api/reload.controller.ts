import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { ConfigurationError } from '../../config/problems';
import { Reloader } from '../../reload/reloader';
import { askedBy } from '../http/access';
import { ApiProblem } from '../http/problem';
import type { RELOADED } from '../schema/observers';

/** Another observers file for the instance that answers. */
@Controller('reload')
export class ReloadController {
  constructor(private readonly reloader: Reloader) {}

  @Post()
  @HttpCode(200)
  async reload(@Req() request: Request): Promise<z.output<typeof RELOADED>> {
    try {
      const { added, removed, changed, notes, ...reloaded } = await this.reloader.reload(askedBy(request));
      return { ...reloaded, added: [...added], removed: [...removed], changed: [...changed], notes: [...notes] };
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw new ApiProblem('invalid-configuration', 'the observers file has problems; the configuration that runs goes on', {
        violations: error.problems.map(({ file, line, column, path, message }) => ({
          at: line === 0 ? file : `${file}:${line}:${column}`,
          message: path === '' ? message : `${path}: ${message}`,
        })),
        remedy: 'Correct it, and look at it with: fraiseql-observers validate-config',
      });
    }
  }
}
