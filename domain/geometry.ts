/**
 * Does an area touch the shape of a unit? Plane geometry on degrees: units are small against the Earth, and an area across the
 * 180th meridian is not China's. Points are longitude, latitude here, as in GeoJSON (RFC 7946).
 */
export type Position = readonly [longitude: number, latitude: number];

/** Closed: the last point is the first. */
export type Ring = readonly Position[];

/** The outer ring and its holes. */
export type Polygon = readonly Ring[];

export type Shape = readonly Polygon[];

export type Box = { west: number; south: number; east: number; north: number };

export function boxOf(shape: Shape): Box {
  const box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };
  for (const [outer] of shape) {
    for (const [longitude, latitude] of outer ?? []) {
      box.west = Math.min(box.west, longitude);
      box.east = Math.max(box.east, longitude);
      box.south = Math.min(box.south, latitude);
      box.north = Math.max(box.north, latitude);
    }
  }
  return box;
}

export function boxesTouch(one: Box, other: Box): boolean {
  return (
    one.west <= other.east && other.west <= one.east && one.south <= other.north && other.south <= one.north
  );
}

type Edge = readonly [from: Position, to: Position];

/** A shape whose edges are sorted into bands of latitude, so that only those near a place are looked at. */
export type BandedShape = { box: Box; firsts: readonly Position[]; bands: readonly (readonly Edge[])[] };

/** A province's outline has tens of thousands of edges; a township meets a few of them. */
const EDGES_A_BAND = 64;
const BANDS_MOST = 1_024;

export function banded(shape: Shape): BandedShape {
  const box = boxOf(shape);
  const edges = shape
    .flat()
    .flatMap((ring) => ring.slice(1).map((to, index): Edge => [ring[index] ?? to, to]));
  const count = Math.min(BANDS_MOST, Math.max(1, Math.ceil(edges.length / EDGES_A_BAND)));
  const bands = Array.from({ length: count }, (): Edge[] => []);
  for (const edge of edges) {
    const [[, one], [, other]] = edge;
    const [first, last] = bandsOf({ box, bands }, Math.min(one, other), Math.max(one, other));
    for (let band = first; band <= last; band += 1) bands[band]?.push(edge);
  }
  // One point of each polygon tells where it lies, when no edges meet.
  return { box, bands, firsts: shape.flatMap(([outer]) => (outer?.[0] ? [outer[0]] : [])) };
}

/** The first and the last band between two latitudes, within the shape. */
function bandsOf(
  { box, bands }: Pick<BandedShape, 'box' | 'bands'>,
  south: number,
  north: number,
): [number, number] {
  const height = (box.north - box.south) / bands.length;
  const bandAt = (latitude: number) =>
    height === 0 ? 0 : Math.min(bands.length - 1, Math.max(0, Math.floor((latitude - box.south) / height)));
  return [bandAt(south), bandAt(north)];
}

/** True where the shapes have a point in common: an edge of one meets one of the other, or one lies within the other. */
export function shapesTouch(one: BandedShape, other: BandedShape): boolean {
  if (!boxesTouch(one.box, other.box)) return false;
  const edgesOne = edgesWithin(one, other.box);
  const edgesOther = edgesWithin(other, one.box);
  if (edgesOne.some((edge) => edgesOther.some((against) => edgesMeet(edge, against)))) return true;
  return (
    other.firsts.some((point) => contains(one, point)) || one.firsts.some((point) => contains(other, point))
  );
}

/** Even-odd rule over all rings, so that holes count as outside. */
export function contains(shape: BandedShape, [x, y]: Position): boolean {
  if (!boxesTouch(shape.box, { west: x, east: x, south: y, north: y })) return false;
  let inside = false;
  for (const [[fromX, fromY], [toX, toY]] of shape.bands[bandsOf(shape, y, y)[0]] ?? []) {
    if (fromY > y !== toY > y && x < ((toX - fromX) * (y - fromY)) / (toY - fromY) + fromX) inside = !inside;
  }
  return inside;
}

/** Edges whose boxes touch this one; those of several bands come several times, which does no harm. */
function edgesWithin(shape: BandedShape, box: Box): Edge[] {
  const [first, last] = bandsOf(shape, box.south, box.north);
  return shape.bands.slice(first, last + 1).flatMap((band) =>
    band.filter(([from, to]) =>
      boxesTouch(box, {
        west: Math.min(from[0], to[0]),
        east: Math.max(from[0], to[0]),
        south: Math.min(from[1], to[1]),
        north: Math.max(from[1], to[1]),
      }),
    ),
  );
}

/** The ends of each lie on different sides of the other, or one end lies on the other edge. */
function edgesMeet([a, b]: Edge, [c, d]: Edge): boolean {
  const [abc, abd, cda, cdb] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  if (abc * abd < 0 && cda * cdb < 0) return true;
  return (
    (abc === 0 && between(a, b, c)) ||
    (abd === 0 && between(a, b, d)) ||
    (cda === 0 && between(c, d, a)) ||
    (cdb === 0 && between(c, d, b))
  );
}

function side(a: Position, b: Position, c: Position): number {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
}

function between(a: Position, b: Position, c: Position): boolean {
  return (
    Math.min(a[0], b[0]) <= c[0] &&
    c[0] <= Math.max(a[0], b[0]) &&
    Math.min(a[1], b[1]) <= c[1] &&
    c[1] <= Math.max(a[1], b[1])
  );
}

const CIRCLE_CORNERS = 72;
/** Mean length of a degree of latitude. */
const KM_PER_DEGREE = 111.195;
/** A point still has an extent, so that it lies in exactly the units it should. */
const RADIUS_KM_LEAST = 0.001;

/** A polygon around the circle, never inside it: rather a unit too many than one too few. */
export function circleShape(centre: Position, radiusKm: number): Shape {
  const [longitude, latitude] = centre;
  const radius = Math.max(radiusKm, RADIUS_KM_LEAST) / Math.cos(Math.PI / CIRCLE_CORNERS) / KM_PER_DEGREE;
  const widening = Math.max(Math.cos((latitude * Math.PI) / 180), 0.01);
  const corners = Array.from({ length: CIRCLE_CORNERS }, (_, index): Position => {
    const angle = (index * 2 * Math.PI) / CIRCLE_CORNERS;
    return [longitude + (radius * Math.cos(angle)) / widening, latitude + radius * Math.sin(angle)];
  });
  return [[[...corners, corners[0] ?? centre]]];
}
