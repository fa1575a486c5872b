import { CURRENT_RULES, hashOfVersion, versionText } from '../../../src/config/rules';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

describe('versions on record', () => {
  const TEXT = 'version: 1\nobservers:\n  - { name: a, entity: Order, actions: [{ type: log }] }\n';
  const OLD_HASH = '0'.repeat(64);

  test('a text is read by the rules under which it was recorded', () => {
    const { definitionOf, observersOf, file: loaded } = file.load(TEXT);
    expect(loaded.source.hash).toBe(hashOfVersion(TEXT));
    expect(versionText(TEXT, loaded.source.hash)).toEqual({ text: TEXT, rules: CURRENT_RULES });
    const old = versionText(TEXT, OLD_HASH);
    expect(definitionOf(old).observers[0]?.ignoreUnchanged).toBe(false);
    expect(observersOf(old)[0]?.ignoreUnchanged).toBe(false);
    expect(definitionOf(versionText(TEXT, hashOfVersion(TEXT))).observers[0]?.ignoreUnchanged).toBe(true);
    const said = versionText(TEXT.replace('entity: Order', 'entity: Order, ignore_unchanged: true'), OLD_HASH);
    expect(definitionOf(said).observers[0]?.ignoreUnchanged).toBe(true);
  });

  test('one that a newer release recorded cannot be read', () => {
    const newer = versionText(TEXT, `r99-${OLD_HASH}`);
    expect(() => file.load(TEXT).definitionOf(newer)).toThrow('recorded by a newer release');
    expect(() => file.load(TEXT).observersOf(newer)).toThrow('recorded by a newer release');
  });
});
