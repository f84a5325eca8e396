import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Data and lock files: all that outlives a run. Ignored by git. Tests set the variable. */
export const stateDirectory = process.env.ORCHESTRATOR_STATE_DIRECTORY ?? path.join(root, '.orchestrator');

/** A program that an npm package brought. */
export const bin = (name) => path.join(root, 'node_modules', '.bin', name);
