// Random BSON values for property tests: few names and few values, so that they meet.
import { Decimal128, Double, ObjectId } from 'bson';
import fc from 'fast-check';

export const scalar = fc.oneof(
  fc.constantFrom(null, true, false, '', 'a', 'b', 'A'),
  fc.constantFrom(0, 1, 2, 3, -1, 1.5, -0, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constantFrom(0n, 1n, 3n, 9007199254740993n),
  fc.constantFrom(new Double(1), new Double(2)),
  fc.constantFrom('0', '1', '1.50', '-2E+3', 'NaN').map((text) => Decimal128.fromString(text)),
  fc.constantFrom(new ObjectId('00000000000000000000000a'), new ObjectId('00000000000000000000000b')),
  fc.constantFrom(new Date(0), new Date(1)),
);

export const name = fc.constantFrom('a', 'b', 'c');

export const { anyValue } = fc.letrec<{ anyValue: unknown }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    scalar,
    fc.array(tie('anyValue'), { maxLength: 3 }),
    fc.dictionary(name, tie('anyValue'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

export const anyDocument = fc.dictionary(name, anyValue, { maxKeys: 3, noNullPrototype: true });
