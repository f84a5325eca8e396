import { hash } from 'node:crypto';

import type { Random } from '@orchestrator/core';

import type { Role } from './role.js';

/** By which a token that leaked into a log or a repository can be recognised. */
const PREFIX = 'orc_';
const BYTES = 32;

export function newToken(random: Random): string {
  return PREFIX + Buffer.from(random.hex(BYTES), 'hex').toString('base64url');
}

/** SHA-256 in hex: enough for what has 256 random bits itself. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}

/** As `auth.tokens` takes it, behind its name. */
export function toLine(role: Role, token: string): string {
  return `${role}:${digestOf(token)}`;
}

/** In `auth.tokens` it stands where the name belongs: every log line and every job would show it. */
export function isTokenAsName(name: string): boolean {
  return /orc_[A-Za-z0-9_-]{30}/.test(name);
}

/** Somebody configured the token where its hash belongs. */
export function looksLikeToken(text: string): boolean {
  return text.includes(PREFIX);
}
