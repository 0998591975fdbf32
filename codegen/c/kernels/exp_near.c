/* Splits x into n * ln(2) + r with |r| up to ln(2) / 2, and returns e^r - 1: r + r^2/2! + r^3/3! + ... */
static double exp_near(double x, int *n)
{
    static const double inverse[] = { /* 1/14! to 1/2! */
        1.1470745597729725e-11, 1.6059043836821613e-10, 2.08767569878681e-9, 2.505210838544172e-8, 2.755731922398589e-7, 2.7557319223985893e-6,
        2.48015873015873e-5, 1.984126984126984e-4, 1.388888888888889e-3, 8.333333333333333e-3, 4.1666666666666664e-2, 0.16666666666666666, 0.5};
    double r, p = 0;
    *n = (int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    r = x - *n * 0.693147180369123816; /* ln(2), of so few bits that the product is exact, */
    r = r - *n * 1.90821492927058770e-10; /* and the rest of it */
    for (int i = 0; i < 13; i++) {
        p = p * r + inverse[i];
    }
    return r + r * r * p;
}
