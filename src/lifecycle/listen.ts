import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { reachableAddress } from '../admin/http/bound-address';
import { prepareHttp, type HttpParts } from '../admin/http/prepare';
import { ExitCode, OperatorError } from '../event/errors';
import { nestLogger } from '../logging/logger';
import type { ServiceModule } from './service.module';

/** Makes the container, and has its routes answer. @throws OperatorError when the address is not to be had */
export async function listen(
  module: ReturnType<typeof ServiceModule.of>,
  host: string,
  port: number,
  http: HttpParts,
): Promise<NestExpressApplication> {
  // Cut at the stop: a connection that asks nothing would keep the process for ever.
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: nestLogger(http.logger),
    abortOnError: false,
    forceCloseConnections: true,
    bodyParser: false,
  });
  try {
    prepareHttp(app, http);
    await app.listen(port, host);
    return app;
  } catch (error) {
    await app.close();
    const { code } = error as { code?: string };
    if (code === 'EADDRINUSE')
      throw new OperatorError(
        `port ${port} on ${host} is in use`,
        'Set OBSERVERS_PORT to a free port (0 takes any), or stop what listens there.',
        ExitCode.configuration,
        { cause: error },
      );
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new OperatorError(
        `cannot listen on ${host}:${port}: ${code}`,
        'Correct OBSERVERS_HOST and OBSERVERS_PORT.',
        ExitCode.configuration,
        { cause: error },
      );
    throw error;
  }
}

/** `host:port` */
export function addressOf(app: NestExpressApplication): string {
  const bound = app.getHttpServer().address() as AddressInfo | null;
  return bound === null ? '' : reachableAddress(bound);
}
