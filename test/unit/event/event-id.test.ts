import fc from 'fast-check';
import { changeNumberIn } from '../../../src/event/event-id';

/** As the default of the log's id makes it. */
const idOf = (milliseconds: bigint, number: bigint): string => {
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
  const all = hex((milliseconds << 16n) | 0x7000n) + hex(number | 0xb000000000000000n);
  return all.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

test('every change number is read back, whatever the time, in either case', () => {
  const number = fc.oneof(fc.constantFrom(1n, BigInt(Number.MAX_SAFE_INTEGER)), fc.bigInt(1n, BigInt(Number.MAX_SAFE_INTEGER)));
  fc.assert(
    fc.property(fc.bigInt(0n, 0xffffffffffffn), number, (at, change) => {
      expect(changeNumberIn(idOf(at, change))).toBe(Number(change));
      expect(changeNumberIn(idOf(at, change).toUpperCase())).toBe(Number(change));
    }),
  );
});

test.each([
  ['a random one', '7d9f3c2e-0b1a-4c58-9e2f-3a1b2c3d4e5f'],
  ['one of uuidv7()', '0192f0c1-7a3e-7c55-9a4e-3f1d2c5b6a70'],
  ['one of another variant', '0192f0c1-7a3e-7000-8000-000000000001'],
  ['a number beyond what is counted', '0192f0c1-7a3e-7000-bfff-ffffffffffff'],
  ['no id', '42'],
])('%s holds none', (_what, id) => {
  expect(changeNumberIn(id)).toBeNull();
});
