export async function measure(_: unknown) {}
