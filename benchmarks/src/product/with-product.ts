import { Generator } from '../load/generator-client.js';
import type { Run } from '../workload.js';
import { Product, type ProductOptions } from './product.js';

/** The product and who makes its load, for one round. They end in order, or the round has failed. */
export async function withProduct<T>(
  run: Run,
  options: ProductOptions,
  work: (product: Product, generator: Generator) => Promise<T>,
): Promise<T> {
  const product = await Product.start(run, options);
  const generator = new Generator();
  try {
    const result = await work(product, generator);
    await product.stop();
    return result;
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${product.describe()}`, {
      cause: error,
    });
  } finally {
    await generator.close();
    await product.kill();
  }
}
