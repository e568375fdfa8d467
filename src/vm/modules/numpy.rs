//! `numpy`, as far as a matrix product needs it: matrices of floats, filled,
//! multiplied and summed. The lock is released as NumPy does it: for every
//! product, and for whatever else goes over more than 500 elements
//! (`NPY_BEGIN_THREADS_THRESHOLDED`).
//!
//! One difference: NumPy's product is as a rule that of a BLAS with threads of
//! its own, which fill the cores whatever the lock does. Here a product is
//! computed by the thread that asked for it.

use std::any::Any;

use ndarray::Array2;

use crate::event::{Detail, State};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::limits;
use crate::vm::methods::as_index;
use crate::vm::native::{Call, Library, Native};
use crate::vm::number::Number;
use crate::vm::value::{Object, Value};

pub(super) static LIBRARY: Library = Library {
    name: "numpy",
    functions: &[
        Native::function("ones", |call| {
            let [shape] = call.exactly::<1>("ones")?;
            filled(call, shape, 1.0)
        }),
        Native::function("zeros", |call| {
            let [shape] = call.exactly::<1>("zeros")?;
            filled(call, shape, 0.0)
        }),
        Native::function("full", |call| {
            let [shape, value] = call.exactly::<2>("full")?;
            let number = Number::of(value).ok_or_else(|| type_error("must be real number, not that"))?;
            filled(call, shape, number.float()?)
        }),
        Native::function("dot", dot),
    ],
    constants: &[],
};

pub(super) const METHODS: &[Native] = &[
    Native::function("sum", |call| {
        let (value, _) = call.method::<0>("sum")?;
        let matrix = this(value)?;
        let mut sum = 0.0;
        native(call, matrix.0.len(), &mut || sum = matrix.0.sum());
        Ok(Value::Float(sum))
    }),
    Native::function("dot", |call| {
        let (value, [other]) = call.method::<1>("dot")?;
        product(call, value, other)
    }),
];

/// More elements than these are gone over with the lock released.
const THRESHOLD: usize = 500;

struct Matrix(Array2<f64>);

impl Object for Matrix {
    fn type_name(&self) -> &'static str {
        "ndarray"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this(value: &Value) -> Result<&Matrix, Raised> {
    let outside = || type_error("the miniature's numpy has matrices only, made by ones, zeros or full");
    value.downcast::<Matrix>().ok_or_else(outside)
}

fn native(call: &mut Call<'_>, elements: usize, work: &mut dyn FnMut()) {
    if elements > THRESHOLD {
        call.outside.release(State::Native, Detail::None, call.line, work);
    } else {
        work();
    }
}

fn filled(call: &mut Call<'_>, shape: &Value, value: f64) -> Result<Value, Raised> {
    let Value::Tuple(shape) = shape else {
        return Err(type_error("the miniature's numpy has matrices only: give the shape as (rows, columns)"));
    };
    let [rows, columns] = shape.0.as_slice() else {
        return Err(type_error("the miniature's numpy has matrices only: give the shape as (rows, columns)"));
    };
    let [rows, columns] = [as_index(rows)?, as_index(columns)?];
    let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
        return Err(value_error("negative dimensions are not allowed"));
    };
    limits::bytes(rows as u128 * columns as u128 * 8)?;
    let mut matrix = None;
    native(call, rows * columns, &mut || matrix = Some(Array2::from_elem((rows, columns), value)));
    Ok(matrix.map_or(Value::None, |matrix| Value::object(Matrix(matrix))))
}

fn dot(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [a, b] = call.exactly::<2>("dot")?;
    product(call, a, b)
}

fn product(call: &mut Call<'_>, a: &Value, b: &Value) -> Result<Value, Raised> {
    let (Matrix(a), Matrix(b)) = (this(a)?, this(b)?);
    let ((rows, inner), (other, columns)) = (a.dim(), b.dim());
    if inner != other {
        let message =
            format!("shapes ({rows},{inner}) and ({other},{columns}) not aligned: {inner} (dim 1) != {other} (dim 0)");
        return Err(Kind::ValueError.raise(message));
    }
    limits::bytes(rows as u128 * columns as u128 * 8)?;
    let mut product = None;
    call.outside.release(State::Native, Detail::None, call.line, &mut || product = Some(a.dot(b)));
    Ok(product.map_or(Value::None, |product| Value::object(Matrix(product))))
}
