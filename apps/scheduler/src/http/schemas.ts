import { type TArray, type TNull, type TObject, type TSchema, type TString, type TUnion, Type } from 'typebox';

/** What every route may answer, for the OpenAPI document. */
export const ProblemView = Type.Object(
  {
    type: Type.String({ description: 'A stable URN, as urn:orchestrator:problem:job-not-found.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { description: 'RFC 9457 problem.', additionalProperties: true },
);

/** The problems of a route by status, as `application/problem+json`. */
export function problems(...statuses: number[]): Record<number, object> {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: 'A problem.', content: { 'application/problem+json': { schema: ProblemView } } },
    ]),
  );
}

type PageSchema<T extends TSchema> = TObject<{ items: TArray<T>; nextCursor: TUnion<[TString, TNull]> }>;

export function pageOf<T extends TSchema>(item: T): PageSchema<T> {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'Only null means the end.' }),
  });
}

export const SubmitHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ description: 'Makes it safe to repeat; kept for 24 h.' })),
});

/** `?limit=` as its schema passed it. */
export function toLimit(limit: string | undefined): number {
  return Number(limit ?? DEFAULT_LIMIT);
}

const DEFAULT_LIMIT = 50;
