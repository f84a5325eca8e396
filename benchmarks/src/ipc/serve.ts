export interface Question {
  id: number;
  op: string;
  params: unknown;
}

export interface Answer {
  id: number;
  error?: string;
  value?: unknown;
}

/** In a helper: answers questions until the bench hangs up, then cleans up and ends. */
export function serve(
  operations: Readonly<Record<string, (params: never) => Promise<unknown>>>,
  close: () => Promise<void>,
): void {
  process.on('message', (question: Question) => {
    void answer(operations, question).then((message) => process.send?.(message));
  });
  process.once('disconnect', () => {
    void close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  });
}

async function answer(
  operations: Readonly<Record<string, (params: never) => Promise<unknown>>>,
  { id, op, params }: Question,
): Promise<Answer> {
  try {
    const operation = operations[op];
    if (operation === undefined) {
      throw new Error(`there is no operation ${op}`);
    }
    return { id, value: await operation(params as never) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
