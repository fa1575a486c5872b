export const CONFIG_CHOICE = {
  flags: '--config-version <which>',
  description: 'current (default): with the configuration that runs; original: with the one that it died with',
  choices: ['current', 'original'],
};
