export const add = async ({ data: { a, b } }) => a + b;
export default { multiply: ({ data: { a, b } }) => a * b };
