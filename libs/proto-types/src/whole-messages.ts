import { WorkerServiceDefinition } from './generated/orchestrator/v1/worker.js';

type Definition = typeof WorkerServiceDefinition;

/**
 * The service for a side that sends whole messages only. nice-grpc copies what it sends field by field, to fill in what is
 * missing, where a type has `fromPartial`: for a frame of a hundred jobs that costs more than to encode it.
 */
export const WholeMessages = {
  ...WorkerServiceDefinition,
  methods: Object.fromEntries(
    Object.entries(WorkerServiceDefinition.methods).map(([name, method]) => [
      name,
      { ...method, requestType: asWhole(method.requestType), responseType: asWhole(method.responseType) },
    ]),
  ) as unknown as Definition['methods'],
} as const satisfies Definition;

function asWhole<Codec extends { encode: unknown; decode: unknown }>({ encode, decode }: Codec): object {
  return { encode, decode };
}
