import { constants } from 'node:os';

const NAMES = new Map<number, NodeJS.Signals>();
for (const [name, number] of Object.entries(constants.signals)) {
  if (!NAMES.has(number)) {
    NAMES.set(number, name as NodeJS.Signals);
  }
}

/** Real-time signals have no name here. */
export function toSignalName(signal: number): NodeJS.Signals {
  return NAMES.get(signal) ?? (`SIG${signal}` as NodeJS.Signals);
}
