export const add = async ({ a, b }) => a + b;
export default { multiply: ({ a, b }) => a * b };
