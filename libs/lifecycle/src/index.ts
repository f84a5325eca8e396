export type { Service } from './service.js';
