import type { Answer } from './receiver';

// What receivers do that no specification foresees; each is an answer of a test's receiver.

export const hang: Answer = () => undefined;

export const hangAfterHeaders =
  (code: number): Answer =>
  (_request, response) => {
    response.writeHead(code, { 'content-length': '100' }).flushHeaders();
  };

/** A byte every 20 ms, for ever: each of them would reset a timeout that counts silence. */
export const drip =
  (code: number): Answer =>
  (_request, response) => {
    response.writeHead(code);
    const timer = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(timer));
  };

/** Headers that never end, a byte every 20 ms. */
export const dripHeaders: Answer = (_request, _response, { socket }) => {
  socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
  const timer = setInterval(() => socket.write('a'), 20);
  socket.on('close', () => clearInterval(timer)).on('error', () => undefined);
};

export const reset: Answer = (_request, _response, { socket }) => void socket.resetAndDestroy();

export const closeWithoutAnswer: Answer = (_request, _response, { socket }) => void socket.end();

export const resetWithinBody =
  (code: number): Answer =>
  (_request, response, { socket }) => {
    response.writeHead(code, { 'content-length': '100' });
    response.write('half of it', () => setTimeout(() => socket.resetAndDestroy(), 20));
  };

/** Bytes of our own, instead of an answer. */
export const bytes =
  (text: string): Answer =>
  (_request, _response, { socket }) =>
    void socket.on('error', () => undefined).end(text);

/** As much as the client takes. @param sent called with the bytes that went into the socket, when it closes */
export const endless =
  (code: number, sent: (bytes: number) => void): Answer =>
  (_request, response, { socket }) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    socket.on('error', () => undefined).on('close', () => sent(socket.bytesWritten));
    response
      .writeHead(code)
      .on('drain', more)
      .on('error', () => undefined);
    more();
  };
