import fc from 'fast-check';
import { Turns } from '../../../src/resilience/turns';

interface Waiter {
  readonly party: string;
  readonly number: number;
}

function drain(turns: Turns<Waiter>): Waiter[] {
  const taken: Waiter[] = [];
  for (let { next } = turns; next !== undefined; { next } = turns) {
    turns.took(next);
    taken.push(next);
  }
  return taken;
}

test('the first of a party waits for one of each other party, and not for all of them', () => {
  const turns = new Turns<Waiter>();
  for (let number = 0; number < 100; number++) turns.add({ party: 'a', number });
  turns.add({ party: 'b', number: 100 });
  expect(drain(turns).findIndex(({ party }) => party === 'b')).toBe(1);
});

test('nobody is lost or doubled, each party keeps its order, and between two turns of one every other that waits has a turn', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), fc.array(fc.nat(30)), (parties, leaving) => {
      const turns = new Turns<Waiter>();
      const all = parties.map((party, number) => ({ party, number }));
      for (const one of all) turns.add(one);
      const gone = new Set(leaving.flatMap((number) => all[number] ?? []));
      for (const one of gone) expect(turns.delete(one)).toBe(true);
      expect(turns.size).toBe(all.length - gone.size);
      const taken = drain(turns);
      expect(turns.size).toBe(0);
      expect([...taken].sort((one, other) => one.number - other.number)).toEqual(all.filter((one) => !gone.has(one)));
      for (const party of new Set(parties)) {
        const numbers = taken.filter((one) => one.party === party).map(({ number }) => number);
        expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
      }
      taken.forEach(({ party }, at) => {
        const again = taken.findIndex((one, place) => place > at && one.party === party);
        if (again === -1) return;
        const between = new Set(taken.slice(at + 1, again).map((one) => one.party));
        for (const later of taken.slice(again)) expect(later.party === party || between.has(later.party)).toBe(true);
      });
    }),
  );
});
