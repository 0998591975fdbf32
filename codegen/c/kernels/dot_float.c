/* The sum of a[k]*b[k] over n elements, in their order. */
static float dot_float(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int k = 0; k < n; k++) {
        float product = a[k] * b[k];
        sum += product;
    }
    return sum;
}
