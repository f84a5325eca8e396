/** What a token may do; each may also do what those before it may. */
export const ROLES = ['viewer', 'submitter', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a route asks for. `open`: no token at all. */
export type Access = 'open' | Role;

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** Whether who has this role may call a route that asks for `access`. */
export function mayCall(role: Role, access: Access): boolean {
  return access === 'open' || ROLES.indexOf(role) >= ROLES.indexOf(access);
}
