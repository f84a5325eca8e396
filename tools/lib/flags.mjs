import { parseArgs } from 'node:util';

/**
 * Reads the flags of a tool: {name: {default, describe}}, all of them whole numbers. An unknown or unreadable one ends it
 * with exit code 2, as the programs do.
 */
export function readFlags(usage, flags) {
  const fail = (message) => {
    const lines = Object.entries(flags).map(([name, flag]) => `  --${name} N   ${flag.describe}`);
    console.error([message, `usage: ${usage}`, ...lines].join('\n'));
    process.exit(2);
  };
  let values;
  try {
    const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' }]));
    values = parseArgs({ options, strict: true }).values;
  } catch (error) {
    fail(error.message);
  }
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => {
      const text = values[name];
      if (text !== undefined && !/^\d{1,9}$/.test(text)) {
        fail(`--${name} is "${text}": expected a whole number`);
      }
      return [name, text === undefined ? flag.default : Number(text)];
    }),
  );
}
