import "./pdfhole.test";
import "./vectors.test";
