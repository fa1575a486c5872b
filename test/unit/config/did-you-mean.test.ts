import { didYouMean } from '../../../src/config/problems';
import { SETTINGS } from '../../../src/config/settings';

const SETTING_NAMES = Object.values(SETTINGS).map(({ variable }) => variable);

test.each([
  ['OBSERVERS_PROT', 'OBSERVERS_PORT'],
  ['OBSERVER_PORT', 'OBSERVERS_PORT'],
  ['OBSERVERS_LOG_LEVLE', 'OBSERVERS_LOG_LEVEL'],
  ['observers_port', 'OBSERVERS_PORT'],
  ['DATABSE_URL', 'DATABASE_URL'],
])('%s is a slip of the pen for %s', (written, meant) => {
  expect(didYouMean(written, SETTING_NAMES)).toBe(`; did you mean "${meant}"?`);
});

test.each([['OBSERVERS_FOO'], ['OBSERVERS_X'], ['OBSERVERS_'], ['FOO'], ['OBSERVERS_WIBBLE'], ['OBSERVERS_LOG_COLOUR']])(
  '%s is like no setting, and none is suggested',
  (written) => {
    expect(didYouMean(written, SETTING_NAMES)).toBe('');
  },
);

test.each([
  ['bokos', ['books', 'notify'], 'books'],
  ['http_staus', ['http_status', 'timeout'], 'http_status'],
  ['order', ['Order'], 'Order'],
  ['lgo', ['log', 'sms'], 'log'],
  ['sms', ['log', 'push'], null],
  ['nosuch', ['notify', 'books'], null],
  ['pause', ['list', 'resume'], null],
  ['anything', [], null],
])('of %s among %j: %s', (written, known, meant) => {
  expect(didYouMean(written, known)).toBe(meant === null ? '' : `; did you mean "${meant}"?`);
});
