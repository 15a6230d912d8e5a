# Row by row: bias, softmax and what is made of it, column sums, squared distance.


cdef void add_bias(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef const floating* bias = operands[1]
    cdef floating* y = operands[2]
    cdef npy_intp k, width = (<npy_intp*> settings)[0]
    for _ in range(count[0]):
        for k in range(width):
            y[k] += bias[k]
        y += width


cdef void add_bias_relu(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef const floating* bias = operands[1]
    cdef floating* y = operands[2]
    cdef floating value
    cdef npy_intp k, width = (<npy_intp*> settings)[0]
    for _ in range(count[0]):
        for k in range(width):
            value = y[k] + bias[k]
            y[k] = 0 if value <= 0 else value
        y += width


cdef enum:
    # Elements of rows whose exponentials are computed at once, by NumPy's own loop: many narrow rows,
    # or a piece of a wide one.  Four times as many doubles have to fit on the smallest of stacks.
    PIECE = 256
    COLUMNS = 1024              # that are summed at once


cdef inline void exponentiate(
    floating* x, floating* y, npy_intp count, const Exponential* exp
) noexcept nogil:
    cdef char* operands[2]
    cdef npy_intp[2] strides = [sizeof(floating), sizeof(floating)]
    operands[0], operands[1] = <char*> x, <char*> y
    exp.loop(operands, &count, strides, exp.data)


# Both of these go in eight lanes, which a compiler can do side by side without reordering anything.

cdef inline floating largest(const floating* x, npy_intp width) noexcept nogil:
    cdef floating[8] lanes
    cdef npy_intp start = 8
    cdef int k
    cdef floating top = x[0]
    if width >= 8:
        for k in range(8):
            lanes[k] = x[k]
        while start + 8 <= width:
            for k in range(8):
                lanes[k] = x[start + k] if x[start + k] > lanes[k] else lanes[k]
            start += 8
        for k in range(8):
            top = lanes[k] if lanes[k] > top else top
    else:
        start = 1
    for start in range(start, width):
        top = x[start] if x[start] > top else top
    return top


cdef inline double plain_sum(const floating* x, npy_intp width) noexcept nogil:
    cdef double[8] lanes = [0, 0, 0, 0, 0, 0, 0, 0]
    cdef npy_intp start = 0
    cdef int k
    cdef double total
    while start + 8 <= width:
        for k in range(8):
            lanes[k] += x[start + k]
        start += 8
    total = (
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    )
    for start in range(start, width):
        total += x[start]
    return total


cdef npy_intp softmax_block(
    const floating* x,      # IN   rows * width
    floating* y,            # OUT  rows * width: exponentials of x less the largest of its row
    double* sums,           # OUT  PIECE: of each row
    npy_intp rows, const Rows* row,
) noexcept nogil:
    """Compute the exponentials of as many rows as fit into a piece, at least of one: return how many."""
    cdef npy_intp k, r, start, done = min(rows, max(<npy_intp> PIECE // row.width, <npy_intp> 1))
    cdef floating top
    for r in range(done):
        top = largest(x + r * row.width, row.width)
        for k in range(r * row.width, (r + 1) * row.width):
            y[k] = x[k] - top
    exponentiate(y, y, done * row.width, &row.exp)
    for r in range(done):
        sums[r] = plain_sum(y + r * row.width, row.width)
    return done


cdef npy_intp logarithms(
    const floating* x,      # IN   rows * width
    floating* tops,         # OUT  PIECE: the largest of each row
    floating* logs,         # OUT  PIECE: of the sum of exponentials of x less the largest
    npy_intp rows, const Rows* row,
) noexcept nogil:
    """Do as `softmax_block`, and keep no exponential."""
    cdef floating[PIECE] scratch
    cdef double[PIECE] sums
    cdef npy_intp k, r, start = 0, size, done = 1
    if row.width <= PIECE:
        done = softmax_block(x, scratch, sums, rows, row)
        for r in range(done):
            tops[r] = largest(x + r * row.width, row.width)
            logs[r] = <floating> log(sums[r])
        return done
    tops[0] = largest(x, row.width)
    sums[0] = 0
    while start < row.width:
        size = min(PIECE, row.width - start)
        for k in range(size):
            scratch[k] = x[start + k] - tops[0]
        exponentiate(scratch, scratch, size, &row.exp)
        sums[0] += plain_sum(scratch, size)
        start += size
    logs[0] = <floating> log(sums[0])
    return done


cdef void softmax(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef Rows* row = <Rows*> settings
    cdef const floating* x = operands[0]
    cdef floating* y = operands[1]
    cdef double[PIECE] sums
    cdef npy_intp k, r, done, left = count[0]
    while left > 0:
        done = softmax_block(x, y, sums, left, row)
        for r in range(done):
            for k in range(r * row.width, (r + 1) * row.width):
                y[k] = y[k] / <floating> sums[r]
        x += done * row.width
        y += done * row.width
        left -= done


cdef void log_softmax(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef Rows* row = <Rows*> settings
    cdef const floating* x = operands[0]
    cdef floating* y = operands[1]
    cdef floating[PIECE] tops
    cdef floating[PIECE] logs
    cdef npy_intp k, r, done, left = count[0]
    while left > 0:
        done = logarithms(x, tops, logs, left, row)
        for r in range(done):
            for k in range(r * row.width, (r + 1) * row.width):
                y[k] = (x[k] - tops[r]) - logs[r]
        x += done * row.width
        y += done * row.width
        left -= done


cdef void class_losses(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """Minus the log-softmax of each row at its class, which is within bounds."""
    cdef Rows* row = <Rows*> settings
    cdef const floating* x = operands[0]
    cdef const npy_intp* target = <npy_intp*> operands[1]
    cdef floating* losses = operands[2]
    cdef floating[PIECE] tops
    cdef floating[PIECE] logs
    cdef npy_intp r, done, left = count[0]
    while left > 0:
        done = logarithms(x, tops, logs, left, row)
        for r in range(done):
            losses[r] = logs[r] - (x[r * row.width + target[r]] - tops[r])
        x += done * row.width
        target += done
        losses += done
        left -= done


cdef void less_class(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """The softmax of each row, less 1 at its class, times its scale."""
    cdef Rows* row = <Rows*> settings
    cdef const floating* x = operands[0]
    cdef const npy_intp* target = <npy_intp*> operands[1]
    cdef const char* scale = <char*> operands[2]
    cdef floating* y = operands[3]
    cdef floating factor
    cdef double[PIECE] sums
    cdef npy_intp k, r, done, left = count[0]
    while left > 0:
        done = softmax_block(x, y, sums, left, row)
        for r in range(done):
            factor = (<floating*> scale)[0]
            for k in range(r * row.width, (r + 1) * row.width):
                y[k] = y[k] / <floating> sums[r]
            y[r * row.width + target[r]] -= 1
            for k in range(r * row.width, (r + 1) * row.width):
                y[k] *= factor
            scale += strides[2]
        x += done * row.width
        y += done * row.width
        target += done
        left -= done


cdef inline double squares_about(const floating* x, double centre, npy_intp width) noexcept nogil:
    """Return the sum of the squared differences from `centre`."""
    cdef double[8] lanes = [0, 0, 0, 0, 0, 0, 0, 0]
    cdef npy_intp start = 0
    cdef int k
    cdef double total, difference
    while start + 8 <= width:
        for k in range(8):
            difference = x[start + k] - centre
            lanes[k] += difference * difference
        start += 8
    total = (
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    )
    for start in range(start, width):
        difference = x[start] - centre
        total += difference * difference
    return total


cdef inline double products_about(
    const floating* g, const floating* x, double centre, npy_intp width
) noexcept nogil:
    """Return the sum of the products of `g` and the differences of `x` from `centre`."""
    cdef double[8] lanes = [0, 0, 0, 0, 0, 0, 0, 0]
    cdef npy_intp start = 0
    cdef int k
    cdef double total
    while start + 8 <= width:
        for k in range(8):
            lanes[k] += g[start + k] * (x[start + k] - centre)
        start += 8
    total = (
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
    )
    for start in range(start, width):
        total += g[start] * (x[start] - centre)
    return total


cdef void standardize(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef Standard* row = <Standard*> settings
    cdef const floating* x = operands[0]
    cdef floating* y = operands[1]
    cdef npy_intp k
    cdef double mean, spread
    cdef floating centre, scale
    for _ in range(count[0]):
        mean = plain_sum(x, row.width) / <double> row.width
        spread = squares_about(x, mean, row.width) / <double> row.width
        scale = <floating> (1 / sqrt(spread + row.epsilon))
        centre = <floating> mean
        for k in range(row.width):
            y[k] = (x[k] - centre) * scale
        x += row.width
        y += row.width


cdef void standardize_cotangent(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """With ``y = (x - mean) * scale``: ``scale * (g - mean(g) - y * mean(g * y))``."""
    cdef Standard* row = <Standard*> settings
    cdef const floating* g = operands[0]
    cdef const floating* x = operands[1]
    cdef floating* result = operands[2]
    cdef npy_intp k
    cdef double mean, width = <double> row.width, squared_scale
    cdef floating centre, scale, mean_g, slope
    for _ in range(count[0]):
        mean = plain_sum(x, row.width) / width
        squared_scale = 1 / (squares_about(x, mean, row.width) / width + row.epsilon)
        slope = <floating> (products_about(g, x, mean, row.width) / width * squared_scale)
        mean_g = <floating> (plain_sum(g, row.width) / width)
        centre, scale = <floating> mean, <floating> sqrt(squared_scale)
        for k in range(row.width):
            result[k] = (g[k] - mean_g - (x[k] - centre) * slope) * scale
        g += row.width
        x += row.width
        result += row.width


cdef void softmax_cotangent(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """``y * (g - sum(g * y))``."""
    cdef npy_intp k, width = (<npy_intp*> settings)[0]
    cdef const floating* g = operands[0]
    cdef const floating* y = operands[1]
    cdef floating* result = operands[2]
    cdef floating total
    for _ in range(count[0]):
        total = <floating> products_about(g, y, 0, width)
        for k in range(width):
            result[k] = y[k] * (g[k] - total)
        g += width
        y += width
        result += width


cdef void column_sums(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """Add up rows, a piece of them at a time, whose sums stay in the first-level cache.

    Four rows are added to each other first: a sum is read and written a quarter as often.
    """
    cdef Columns* columns = <Columns*> settings
    cdef const floating* x
    cdef floating* y = operands[1]
    cdef npy_intp start = 0, row, k, size, wide = columns.row_bytes // <npy_intp> sizeof(floating)
    while start < count[0]:
        size = min(COLUMNS, count[0] - start)
        x = operands[0] + start
        for k in range(size):
            y[k] = x[k]
        x += wide
        row = 1
        while row + 4 <= columns.rows:
            for k in range(size):
                y[k] += (x[k] + x[wide + k]) + (x[2 * wide + k] + x[3 * wide + k])
            x += 4 * wide
            row += 4
        for row in range(row, columns.rows):
            for k in range(size):
                y[k] += x[k]
            x += wide
        start += size
        y += size


cdef void squared_distance(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """Sums of squared differences, one for each block, in eight running sums of double precision."""
    cdef const floating* a = operands[0]
    cdef const floating* b = operands[1]
    cdef double* result = <double*> operands[2]
    cdef double[8] sums
    cdef double difference
    cdef npy_intp block, i
    cdef int k
    for block in range(count[0]):
        sums[:] = [0, 0, 0, 0, 0, 0, 0, 0]
        for i in range(0, DISTANCE_BLOCK, 8):
            for k in range(8):
                difference = <double> a[i + k] - <double> b[i + k]
                sums[k] += difference * difference
        result[block] = (
            ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
        )
        a += DISTANCE_BLOCK
        b += DISTANCE_BLOCK
