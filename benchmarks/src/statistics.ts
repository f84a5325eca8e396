export interface Spread {
  median: number;
  least: number;
  most: number;
}

/** Of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Between two values in proportion, as most tools do it. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) {
    throw new Error('there is no quantile of nothing');
  }
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(place)] ?? NaN, sorted[Math.ceil(place)] ?? NaN];
  return below + (above - below) * (place - Math.floor(place));
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

export interface Point {
  x: number;
  y: number;
}

/** Of the line with the least squares: by how much y grows with x. */
export function slope(points: readonly Point[]): number {
  const mean = (pick: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const covariance = mean(({ x, y }) => (x - meanX) * (y - meanY));
  const variance = mean(({ x }) => (x - meanX) ** 2);
  if (!(variance > 0)) {
    throw new Error(`there is no slope through ${points.length} points at one place`);
  }
  return covariance / variance;
}
